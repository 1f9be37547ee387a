"""From a folder to a frame of scores."""
