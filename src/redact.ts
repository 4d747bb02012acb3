/**
 * Forms in which secrets have been seen in refs, options and messages of storage tools. Each keeps
 * what stands before the secret, so that a person still sees where it was. Rather too much is
 * hidden than too little: `key=` hides what follows up to a space, a quote, a comma or a semicolon.
 */
const SECRETS: readonly RegExp[] = [
  // key=…; `keyring=` and `keyfile=` name files and stay. So does what is hidden already, with what stands behind it.
  /((?:^|[^a-z])(?:key|secret|passwd|password|passphrase|token)\s*=\s*)(?!\*{3}(?:[\s:)]|$))(?:"[^"]*"|'[^']*'|[^\s"',;]+)/gi,
  // "key": "…"
  /(["'](?:\w*_)?(?:key|secret|passwd|password|passphrase|token)["']\s*:\s*["'])[^"']+/gi,
  // --key …
  /(--(?:key|secret|password|passphrase|token)\s+)[^\s"',;]+/gi,
  // scheme://user:secret@ and libiscsi's scheme://user%secret@
  /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/@:%]*[:%])[^\s/@]+(?=@)/gi,
  // The same, of a secret with slashes or at-signs in it: an iSCSI ref has no other @.
  /(\biscsi:\/\/[^\s/:%]*[:%])\S+(?=@)/gi,
  // A line of open-iscsi's records, to its end: CHAP secrets may hold spaces and quotes.
  /(\bauth\.password(?:_in)?[ \t]*=[ \t]*)[^\r\n]+/gi,
  // iscsiadm … -n node.session.auth.password -v …
  /(\bauth\.password(?:_in)?["',\s]+(?:-v|--value)["',\s=]+)[^\s"',]+/gi,
  // A cephx key wherever it stands: base64 that starts with the type and a time of creation.
  /()\bAQ[A-Za-z0-9+/]{34,}={0,2}/g,
];

/** A text with every secret in it replaced by three asterisks. */
export function redact(text: string): string {
  return SECRETS.reduce((kept, secret) => kept.replace(secret, "$1***"), text);
}
