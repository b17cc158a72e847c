"""Methods that leave the weights alone and steer what is drawn from them."""
