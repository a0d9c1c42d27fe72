"""Data that the three processes of the pool exchange: messages, configuration, and the table of claims.

Everything here is made of numbers and strings, so that it can cross any process border. Add a field here when two
processes must know the same thing.
"""
