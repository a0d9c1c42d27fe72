"""What the three processes of the pool send to each other."""
