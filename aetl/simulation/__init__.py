"""Plays the chatbot and one night of the job, for trying aetl without one."""
