"""What all rooms stand on: errors, the frozen spec, how numbers and paths are written, the escape of foreign text."""
