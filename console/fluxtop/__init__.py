"""fluxtop: a live, full-screen console for a Flux instance."""
