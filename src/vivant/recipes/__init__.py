"""Recipes: functions that return a whole experiment. A new one is a function in a file here."""
