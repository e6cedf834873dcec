internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors

extension VerifyJob {
  /// Reads what the model's files say of how they were made.
  func readProvenance(of judged: ModelSource, _ report: inout VerifyReport) {
    do {
      report.provenance = try Provenance.read(judged.checkpoint)
      guard report.provenance == nil else { return }
      if isStrict { report.failures.append("the files do not say how they were made") }
    } catch {
      let reason = "what the files say of how they were made cannot be read: \(error.message)"
      if isStrict { report.failures.append(reason) } else { report.notes.append(reason) }
    }
  }

  /// Hashes both models' tensors, the reference's only where the model says what it was made from.
  func hash(
    _ judged: ModelSource, _ original: ModelSource, _ environment: JobEnvironment,
    _ report: inout VerifyReport
  ) throws {
    let hashes = try WeightHash(judged.checkpoint, environment)
    report.hash = hashes.total
    let byName = Dictionary(
      hashes.tensors.map { ($0.name, $0.hash) }, uniquingKeysWith: { first, _ in first })
    let names = Dictionary(
      judged.mapped(to: .gguf).map { ($0.name, $0.origin.records.map(\.name)) },
      uniquingKeysWith: { first, _ in first })
    for index in report.tensors.indices {
      let found = (names[report.tensors[index].name] ?? []).compactMap { byName[$0] }
      report.tensors[index].hash = joined(found)
    }
    guard report.provenance != nil else { return }
    report.referenceHash = try WeightHash(original.checkpoint, environment).total
    if report.isMadeFromReference == false {
      report.notes.append(
        "the files say that they were made from other tensors than those of \(reference); where these are the same values in"
          + " another format that is no fault")
    }
  }

  /// The hash of a tensor that the file holds in several: that of their hashes one after another.
  private func joined(_ hashes: [String]) -> String {
    guard hashes.count > 1 else { return hashes.first ?? "" }
    var hash = ContentHash(.sha256)
    for text in hashes { hash.update(text) }
    return hash.hexadecimalDigest()
  }

  /// Says what is quantized and why the rest is not.
  func audit(_ judged: ModelSource, _ original: ModelSource, _ report: inout VerifyReport) {
    var wishes: [String: TypeWish] = [:]
    if let recipe = report.provenance?.quantization {
      let job = QuantizeJob(recipe, source: reference, output: model)
      do {
        wishes = try job.wishes(original)
      } catch {
        let reason = "the recipe does not fit \(reference): \(error)"
        if isStrict { report.failures.append(reason) } else { report.notes.append(reason) }
      }
    }
    let audit = CoverageAudit(judged, wishes: wishes)
    report.audit = audit
    guard isStrict else { return }
    report.failures += audit.fallbackLines
  }

  /// Runs a few tokens through both models.
  ///
  /// - Throws: what keeps the models from being run, where the user asked for it.
  func compareLogits(
    _ judged: ModelSource, _ original: ModelSource, _ environment: JobEnvironment,
    _ report: inout VerifyReport
  ) throws {
    let count = logitTokenCount ?? LogitCheck.usualTokenCount
    // Where tensors are broken already, predictions tell nothing more.
    guard count > 0, logitTokenCount != nil || report.failures.isEmpty else { return }
    guard !environment.cancellation.isCancelled else { throw JobCancelled() }
    do {
      let check = try LogitCheck(
        judged, reference: original, tokenCount: count, maximumDivergence: maximumDivergence,
        pool: WorkerPool(threadCount: environment.threadCount))
      report.logits = check
      if let failure = check.failure { report.failures.append(failure) }
    } catch {
      guard logitTokenCount == nil else { throw error }
      report.notes.append("logits were not compared: \(error)")
    }
  }
}
