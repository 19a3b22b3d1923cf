"""Reports: from what runs left to tables, figures and a page to listen to.

They see only ``core.results`` records, rows and audio files. :func:`summary.summarise` makes
the data once; every form of a report is a function of it.
"""
