"""From a path to a picture, its fingerprint, its facts and its thumbnail."""
