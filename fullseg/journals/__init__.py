"""What people's annotations teach: replays of their strokes, their habits, and models that learn from their images."""
