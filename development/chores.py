"""The chores of dev.py. Standard library only, so that they work before there is an environment."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cli.display import display_problem, qt_problem
from cli.packages import find_program, install_line

from .environment import CACHE, ROOT, ChoreError, dependencies, ensure_environment, ensure_venv, pip, python_of
from .environment import run, say, stamp_of
from .system import ensure_node_modules, install_missing, missing_needs, packages_of
