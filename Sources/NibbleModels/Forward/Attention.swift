internal import CNibbleKernels
internal import NibbleTensors

/// Causal attention of new tokens over one block's cache (Vaswani et al. 2017, arXiv:1706.03762; grouped heads: Ainslie
/// et al. 2023, arXiv:2305.13245).
///
/// Work is cut into tiles of some tokens and the query heads that share one key-value head, so that memory does not
/// grow with the square of the positions, and no result depends on the number of threads.
struct Attention {
  let config: ModelConfig
  let cache: KeyValueCache
  let block: Int
  let pool: WorkerPool
  /// Positions that a token looks back over, itself included; nil = all.
  let window: Int?
  /// The factor of queries times keys.
  let scale: Float
  /// c of c · tanh(x / c), which the scores go through; 0 = they do not.
  let softcap: Float
  /// Tokens of each of the sequences that follow one another in the rows; nil = all rows are one sequence.
  var sequenceTokenCount: Int?
  /// Where each row stands, where rows attend one by one: the arithmetic is then that of a run of one token, and so are
  /// the bits. Nil = rows follow what `cache` holds.
  var places: [RowPlace]?

  private var groupCount: Int { config.headCount / config.keyValueHeadCount }
  private var tileTokenCount: Int { places == nil ? Self.tileTokenCount(config) : 1 }

  /// Tokens of a tile, from the first token of a run on.
  static func tileTokenCount(_ config: ModelConfig) -> Int {
    max(1, 32 / (config.headCount / config.keyValueHeadCount))
  }

  /// Writes the new tokens' keys and values, `[tokens, key-value heads · head size]`, into the cache.
  func store(_ keys: Activations, _ values: Activations) {
    let body: (Range<Int>) -> Void = { rows in
      for row in rows {
        let place = places?[row] ?? RowPlace(cache: cache, position: cache.count + row)
        for head in 0..<config.keyValueHeadCount {
          let column = head * config.headFeatureCount
          place.cache.store(
            key: keys.row(row) + column, value: values.row(row) + column, block: block, head: head,
            position: place.position)
        }
      }
    }
    // Waking threads costs more than a few rows.
    if keys.rowCount < 32 { body(0..<keys.rowCount) } else { pool.rows(keys.rowCount, body) }
  }

  /// Attends with `queries`, `[tokens, heads · head size]`, into a matrix of the same shape.
  func attend(_ queries: Activations, into result: Activations) {
    let length = sequenceTokenCount ?? queries.rowCount
    let tileCount = (length + tileTokenCount - 1) / tileTokenCount
    let sequenceItemCount = config.keyValueHeadCount * tileCount
    let itemCount = queries.rowCount / length * sequenceItemCount
    let rowCount = min(tileTokenCount, length) * groupCount
    let scratchCount = nk_attention_scratch(rowCount, config.headFeatureCount)
    let body: (Range<Int>) -> Void = { items in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: scratchCount) { scratch in
        guard let scratch = scratch.baseAddress else { return }
        for item in items {
          let (sequence, rest) = item.quotientAndRemainder(dividingBy: sequenceItemCount)
          // The last tiles see the most positions, so they come first: what is left at the end is small.
          let (later, head) = rest.quotientAndRemainder(dividingBy: config.keyValueHeadCount)
          let start = sequence * length
          let first = start + (tileCount - 1 - later) * tileTokenCount
          let tokens = first..<min(first + tileTokenCount, start + length)
          attend(queries, into: result, head: head, tokens: tokens, start: start, scratch)
        }
      }
    }
    // Waking threads costs more than the attention of one token over a few positions.
    let positionCount =
      places?.reduce(0) { $0 + $1.position + 1 }
      ?? queries.rowCount * (cache.count + queries.rowCount)
    if positionCount < 64 {
      body(0..<itemCount)
    } else {
      pool.chunks(itemCount, perThread: 16) { body($1) }
    }
  }

  private func attend(
    _ queries: Activations, into result: Activations, head: Int, tokens: Range<Int>, start: Int,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let column = head * groupCount * config.headFeatureCount
    let place = places?[tokens.lowerBound]
    let cache = place?.cache ?? self.cache
    let firstPosition = place?.position ?? cache.count + tokens.lowerBound - start
    var tile = nk_attention_tile(
      query: queries.row(tokens.lowerBound) + column,
      result: result.row(tokens.lowerBound) + column,
      keys: cache.keys(block: block, head: head, from: start),
      values: cache.values(block: block, head: head, from: start),
      scratch: scratch, token_stride: queries.columnCount, row_count: tokens.count * groupCount,
      group_count: groupCount, head_size: config.headFeatureCount,
      first_position: firstPosition, window: window ?? 0, scale: scale, softcap: softcap,
      element: cache.type.element)
    nk_attend(&tile)
  }
}
