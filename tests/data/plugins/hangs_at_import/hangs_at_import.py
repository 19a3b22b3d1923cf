"""A plugin whose import does not end."""

import time

while True:
    time.sleep(1)
