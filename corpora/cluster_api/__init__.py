"""The API server: what is asked and answered, how it fails, whose an object is."""
