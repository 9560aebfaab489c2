/** Text or bytes that are not what they should be; the message begins with the path of the member that is wrong. */
export class Malformed extends Error {
  name = "Malformed";
}
