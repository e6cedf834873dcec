/// The index of a sharded checkpoint: `model.safetensors.index.json`.
package struct SafetensorsIndex: Sendable {
  /// From tensor to shard.
  package let shardOfTensor: [String: String]
  /// Tensors in the index's order.
  package let tensorNames: [String]
  /// Shards by name, which is their number's order.
  package let shards: [String]

  /// Reads the index.
  ///
  /// - Throws: ``CheckpointError/Code/malformed``, without the file's name; also for shard names
  ///   that lead elsewhere.
  package init(_ json: JSONValue) throws(CheckpointError) {
    guard let map = json["weight_map"]?.object else {
      throw CheckpointError(.malformed, "has no weight_map")
    }
    var shardOfTensor: [String: String] = [:]
    for tensor in map.keys {
      guard let shard = map[tensor]?.string else {
        throw CheckpointError(.malformed, "its shard is no string", tensor: tensor)
      }
      guard isPlainFileName(shard), !shard.contains("..") else {
        throw CheckpointError(
          .malformed, "the shard \"\(printable(shard))\" is no file name", tensor: tensor)
      }
      guard shardOfTensor.updateValue(shard, forKey: tensor) == nil else {
        throw CheckpointError(.malformed, "stands twice in the index", tensor: tensor)
      }
    }
    self.shardOfTensor = shardOfTensor
    tensorNames = map.keys
    shards = Set(shardOfTensor.values).sorted()
    guard !shards.isEmpty else { throw CheckpointError(.malformed, "names no shard") }
  }
}
