"""What a prepared store and a trained network are worth, measured."""
