"""The commands: one file each. They parse, call one function below, and print."""
