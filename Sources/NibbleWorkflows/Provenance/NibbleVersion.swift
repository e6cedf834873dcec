/// The version of this program, as files that it writes name it.
public enum NibbleVersion {
  public static let current = "0.1.0"
}
