#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// The most bytes of memory, mapped pages included, that this process ever had resident.
func peakMemoryByteCount() -> Int {
  var usage = rusage()
  #if os(Linux)
    let status = getrusage(numericCast(RUSAGE_SELF.rawValue), &usage)
    let unit = 1024
  #else
    let status = getrusage(RUSAGE_SELF, &usage)
    let unit = 1
  #endif
  return status == 0 ? usage.ru_maxrss * unit : 0
}

/// Whether two paths lead to the same file; false when either leads nowhere.
func isSameFile(_ first: String, _ second: String) -> Bool {
  var one = stat()
  var two = stat()
  guard stat(first, &one) == 0, stat(second, &two) == 0 else { return false }
  return one.st_dev == two.st_dev && one.st_ino == two.st_ino
}
