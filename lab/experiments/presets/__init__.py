"""Presets: experiments that are run by a command, a lesson and the report card alike."""
