// Ask a protected resource with a token that is bound to a key, by oauth4webapi: with a proof for each request, and once
// more with the nonce where one is demanded. Prints the statuses; the environment names the resource, token and key.
import * as oauth from 'oauth4webapi'

const { RESOURCE, TOKEN, KEY, ALG } = process.env
const algorithm = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  Ed25519: { name: 'Ed25519' },
}[ALG]
const { d, p, q, dp, dq, qi, ...publicJwk } = JSON.parse(KEY)
const { kty } = publicJwk
const importKey = (jwk, use) => crypto.subtle.importKey('jwk', { ...jwk, alg: undefined, kty }, algorithm, true, [use])
const keys = {
  privateKey: await importKey(JSON.parse(KEY), 'sign'),
  publicKey: await importKey(publicJwk, 'verify'),
}
const DPoP = oauth.DPoP({ client_id: 'shop' }, keys)
const options = { DPoP, [oauth.allowInsecureRequests]: true }
const ask = () => oauth.protectedResourceRequest(TOKEN, 'GET', new URL(RESOURCE), undefined, undefined, options)

let demanded = false
const statuses = []
for (let count = 0; count < 2; count++) {
  try {
    statuses.push((await ask()).status)
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    demanded = true
    statuses.push((await ask()).status)
  }
}
console.log(JSON.stringify({ statuses, demanded, thumbprint: await DPoP.calculateThumbprint() }))
