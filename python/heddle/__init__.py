"""heddle: a tensor engine that speaks MLX. Write ``import heddle.core as mx``."""
