"""Finds one face, follows it, and says what is wrong with how it was filmed."""
