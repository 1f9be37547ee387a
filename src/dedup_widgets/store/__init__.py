"""What is kept between sessions."""
