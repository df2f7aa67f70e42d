"""The work sheet: its numbers, the mistakes people make with them, grading, its words, and the printed page. No torch."""
