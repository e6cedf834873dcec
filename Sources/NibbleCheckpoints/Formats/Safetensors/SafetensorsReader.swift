internal import NibbleTensors

extension Checkpoint {
  /// Opens one safetensors file; `path` is what the user named, which may be its folder.
  static func openSafetensors(
    _ path: String, file: String, _ view: ByteView, notes: [String] = []
  ) throws(CheckpointError) -> Checkpoint {
    do {
      let content = try SafetensorsFile(view)
      return Checkpoint(
        path: path, format: .safetensors,
        tensors: try SchemeTensors.gather(
          content.tensors, schemes: try SchemeTensors.schemes(content.metadata)),
        metadata: Metadata(),
        notes: notes, folder: splitPath(file).folder, fileMetadata: content.metadata)
    } catch {
      throw error.inFile(file)
    }
  }

  /// Opens the shards that an index names.
  static func openSharded(
    _ path: String, folder: String, indexName: String
  ) throws(CheckpointError) -> Checkpoint {
    let indexPath = joined(folder, indexName)
    let index: SafetensorsIndex
    do {
      index = try SafetensorsIndex(try parseJSON(try mapFile(indexPath)))
    } catch {
      throw error.inFile(indexPath)
    }
    var notes: [String] = []
    var tensors: [TensorRecord] = []
    var names: Set<String> = []
    var schemes: [String: SchemeTensors.Entry] = [:]
    for shard in index.shards {
      let shardPath = joined(folder, shard)
      guard try pathKind(shardPath) != .nothing else {
        throw CheckpointError(
          .missing, "names the shard \"\(printable(shard))\", which is not there", file: indexPath)
      }
      do throws(CheckpointError) {
        var unlisted: [String] = []
        var elsewhere: [String] = []
        let content = try SafetensorsFile(try mapFile(shardPath))
        schemes.merge(try SchemeTensors.schemes(content.metadata)) { first, _ in first }
        for tensor in content.tensors {
          let owner = index.shardOfTensor[tensor.name]
          if owner == nil { unlisted.append(tensor.name) }
          guard owner == nil || owner == shard else {
            elsewhere.append(tensor.name)
            continue
          }
          guard names.insert(tensor.name).inserted else {
            throw CheckpointError(.malformed, "stands in two shards", tensor: tensor.name)
          }
          tensors.append(tensor)
        }
        notes += note(shard, unlisted, "read although the index does not list it")
        notes += note(shard, elsewhere, "ignored, since the index takes it from another shard")
      } catch {
        throw error.inFile(shardPath)
      }
    }
    for name in index.tensorNames where !names.contains(name) {
      throw CheckpointError(
        .missing, "the index places it in \(index.shardOfTensor[name] ?? ""), which lacks it",
        file: indexPath, tensor: name)
    }
    do {
      tensors = try SchemeTensors.gather(tensors, schemes: schemes)
    } catch {
      throw error.inFile(folder)
    }
    return Checkpoint(
      path: path, format: .safetensors, tensors: tensors, metadata: Metadata(), notes: notes,
      folder: folder)
  }
}

/// One line about tensors of a shard that share an oddity; none if there are none.
private func note(_ shard: String, _ names: [String], _ oddity: String) -> [String] {
  guard let first = names.first else { return [] }
  let others = names.count == 1 ? "" : " (and \(names.count - 1) more like it)"
  return ["\(printable(shard)): tensor \(printable(first)) is \(oddity)\(others)"]
}

/// Parses a mapped JSON file.
func parseJSON(_ view: ByteView) throws(CheckpointError) -> JSONValue {
  let result = view.withUnsafeBytes { bytes in
    Result { () throws(CheckpointError) in try JSONValue.parse(bytes) }
  }
  return try result.get()
}
