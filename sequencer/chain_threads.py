"""The threads that one chain works with, each for what must not wait for the others."""

from concurrent.futures import ThreadPoolExecutor

from sequencer.loop_thread import LoopThread

READ_THREADS = 8


class ChainThreads:
    """Made with the chain, released by ``close``."""

    def __init__(self) -> None:
        self.engine = LoopThread("engine")
        self.guard = LoopThread("guard")
        self.journal = LoopThread("mempool journal")
        self.signing = ThreadPoolExecutor(1, thread_name_prefix="signing")
        self.verification = ThreadPoolExecutor(1, thread_name_prefix="verification")
        self.reads = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="reads")

    def close(self) -> None:
        """Finish what runs and drop what waits."""
        for threads in (self.engine, self.guard, self.signing, self.journal, self.verification, self.reads):
            threads.shutdown(wait=True, cancel_futures=True)
