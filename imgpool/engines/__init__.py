"""Engines: run a function over tasks. They know tasks, never pixels."""
