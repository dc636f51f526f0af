"""Hash tree, transactions, namespaces and watchers of the KVS: no IO."""
