"""How the paintings look, in figures that belong to no network of ours, and on contact sheets for the eye."""
