"""``python -m pushscope`` and the ``pushscope`` command of an editable install."""

from __future__ import annotations

from main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
