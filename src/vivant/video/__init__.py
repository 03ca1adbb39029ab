"""From a file, a folder of pictures or a camera to frames with their times; nothing is trusted."""
