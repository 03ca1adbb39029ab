"""Recipes: functions that return a whole experiment. A new one is one new function in a file here."""
