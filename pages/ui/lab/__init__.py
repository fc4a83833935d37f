"""What the lab page is made of."""
