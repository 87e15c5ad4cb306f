"""`POST /retrieve` by one user who asks at a steady pace: while the service has nothing else to do, and during an ingest.

The language model answers at once and takes no core. The ingest replaces the documents that are there: it goes on, in
rounds with other attributes, for as long as there are questions to be asked.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from bench.job import INSTANT, Job
from bench.report import Result, Row, spread, summary, versus
from bench.servers import Server, bundle
