"""The layer ``ethereum``: blobs (EIP-4844, cell proofs of EIP-7594) or calldata, referenced in the inbox contract.

``packing``, ``transaction``, ``inbox``, ``fees`` and ``references`` are pure; ``kzg`` computes in a process of its
own because the library holds the interpreter lock; ``l1`` and ``beacon`` are the modules that talk, ``sender`` sees
transactions into blocks, and ``layer`` keeps the port's obligations with all of them.
"""
