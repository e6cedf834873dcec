public import NibbleCheckpoints
internal import NibbleModels

extension ModelInspection {
  /// The inspection as one JSON object: `parameters bytes bits_per_weight tensors` and more.
  public var json: JSONValue {
    var object = JSONObject([
      "path": .string(path), "format": .string(format),
      "architecture": architecture.map { .string($0) } ?? .null,
      "parameters": .integer(Int64(parameterCount)), "bytes": .integer(Int64(byteCount)),
      "bits_per_weight": .number(bitsPerWeight),
    ])
    if let config { object["configuration"] = config.inspectionJSON }
    object["types"] = .array(types.map { $0.json("type") })
    object["roles"] = .array(roles.map { $0.json("role") })
    object["memory"] = .array(memory.map(\.json))
    if let cache { object["kv_cache"] = cache.json }
    object["provenance"] = annotations.provenance ?? .null
    object["verdict"] = annotations.verdict ?? .null
    object["notes"] = .array(notes.map { .string($0) })
    object["tensors"] = .array(tensors.map(\.json))
    return .object(object)
  }
}

extension ModelConfig {
  fileprivate var inspectionJSON: JSONValue {
    func count(_ value: Int) -> JSONValue { .integer(Int64(value)) }
    return [
      "blocks": count(blockCount), "hidden": count(hiddenCount),
      "feed_forward": count(feedForwardCount), "heads": count(headCount),
      "kv_heads": count(keyValueHeadCount), "head_size": count(headFeatureCount),
      "vocabulary": count(vocabularyCount), "context": count(contextCount),
      "tied_embeddings": .bool(hasTiedEmbeddings),
      "rope_base": rope.map { .number(Double($0.base)) } ?? .null,
      "norm_epsilon": .number(Double(normEpsilon)),
      "sliding_window": slidingWindow.map(count) ?? .null, "experts": count(expertCount),
      "used_experts": count(usedExpertCount),
    ]
  }
}

extension SizeShare {
  fileprivate func json(_ key: String) -> JSONValue {
    func count(_ value: Int) -> JSONValue { .integer(Int64(value)) }
    var object = JSONObject([key: .string(name)])
    object["tensors"] = count(tensorCount)
    object["parameters"] = count(parameterCount)
    object["bytes"] = count(byteCount)
    object["bits_per_weight"] = .number(bitsPerWeight)
    return .object(object)
  }
}

extension MemoryEstimate {
  fileprivate var json: JSONValue {
    [
      "precision": .string(precision.rawValue),
      "bits_per_weight": bitsPerWeight.map { .number($0) } ?? .null,
      "bytes": .integer(Int64(byteCount)),
    ]
  }
}

extension CacheEstimate {
  fileprivate var json: JSONValue {
    func count(_ value: Int) -> JSONValue { .integer(Int64(value)) }
    func bytes(_ size: Double) -> JSONValue { count(byteCount(bytesPerElement: size)) }
    return [
      "context": count(contextCount), "blocks": count(blockCount),
      "kv_heads": count(keyValueHeadCount), "head_size": count(headFeatureCount),
      "sliding_window": slidingWindow.map(count) ?? .null,
      "bytes_float32": bytes(4), "bytes_float16": bytes(2), "bytes_int8": bytes(1.0625),
    ]
  }
}

extension TensorInspection {
  /// The tensor as a JSON object; `statistics` is null where there are none.
  public var json: JSONValue {
    func count(_ value: Int) -> JSONValue { .integer(Int64(value)) }
    return [
      "name": .string(name), "shape": .array(shape.map(count)), "type": .string(type),
      "role": .string(role.rawValue), "block": block.map(count) ?? .null,
      "parameters": count(parameterCount), "bytes": count(byteCount),
      "bits_per_weight": .number(bitsPerWeight), "statistics": statistics?.json ?? .null,
    ]
  }
}

extension TensorStatistics {
  fileprivate var json: JSONValue {
    var object = JSONObject()
    func set(_ key: String, _ value: Double?) {
      object[key] = value.map { .number($0) } ?? .null
    }
    func set(_ key: String, count: Int) { object[key] = .integer(Int64(count)) }
    set("minimum", minimum)
    set("maximum", maximum)
    set("mean", moments.mean)
    set("standard_deviation", moments.standardDeviation)
    set("absolute_maximum", absoluteMaximum)
    set("excess_kurtosis", moments.excessKurtosis)
    set("zero_share", zeroShare)
    set("beyond_six_deviations", farShare)
    set("nan_count", count: notANumberCount)
    set("infinity_count", count: infinityCount)
    object["percentiles"] = .array(
      zip(Self.percentileShares, percentiles).map { share, value -> JSONValue in
        ["share": .number(share), "value": .number(value)]
      })
    object["row_norms"] = rowNorms?.json ?? .null
    object["column_norms"] = columnNorms?.json ?? .null
    set("outlier_column_count", count: outlierColumns.count)
    object["outlier_columns"] = .array(outlierColumns.prefix(20).map(\.json))
    object["histogram"] = [
      "from": .number(histogram.lowerBound), "to": .number(histogram.upperBound),
      "counts": .array(histogram.counts.map { .integer(Int64($0)) }),
    ]
    return .object(object)
  }
}

extension NormRange {
  fileprivate var json: JSONValue {
    ["minimum": .number(minimum), "median": .number(median), "maximum": .number(maximum)]
  }
}

extension OutlierColumn {
  fileprivate var json: JSONValue {
    [
      "column": .integer(Int64(column)), "norm": .number(norm),
      "largest_magnitude": .number(largestMagnitude), "norm_ratio": .number(normRatio),
      "magnitude_ratio": .number(magnitudeRatio),
    ]
  }
}
