"""`vivant data`: data sets, from the folder as its owner gave it to training clips."""
