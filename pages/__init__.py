"""The pages of the app. `shell.py` lists them; `ui` is what they share."""
