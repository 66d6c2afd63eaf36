"""The peak memory of a process tree; knows no benchmark."""

import threading

import psutil

SAMPLE_S = 0.1


class Peak:
    """The peak memory of a process tree, sampled: Σ PSS of all its processes, MB."""

    def __init__(self, root: psutil.Process) -> None:
        self.mb = 0.0
        self._root = root
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.mb = max(self.mb, sum(_pss_mb(process) for process in _tree(self._root)))

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def _tree(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _pss_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 1e6
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
