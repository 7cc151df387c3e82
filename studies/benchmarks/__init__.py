"""The speed study, theory by theory. No study: nothing here is judged."""
