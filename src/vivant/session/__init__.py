"""A clip's verdict: what is seen, what the network says of it, and what follows from both."""
