"""YouTube, and whatever else yt-dlp reads: recordings that a list names, for a lab's own use."""
