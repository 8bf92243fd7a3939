// Client authentication for either library, by the names of the standards; the environment holds a secret, a private
// JWK or an access token.
const ALGORITHMS = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  Ed25519: { name: 'Ed25519' },
}

export async function authentication(library, method, credential) {
  switch (method) {
    case 'client_secret_basic':
      return library.ClientSecretBasic(credential)
    case 'client_secret_post':
      return library.ClientSecretPost(credential)
    case 'private_key_jwt': {
      const { alg, kid, ...jwk } = JSON.parse(credential)
      return library.PrivateKeyJwt({
        key: await crypto.subtle.importKey('jwk', jwk, ALGORITHMS[alg], false, ['sign']),
        kid,
      })
    }
    case 'bearer':
      return (as, client, body, headers) => headers.set('authorization', `Bearer ${credential}`)
  }
  throw new Error(`no such method: ${method}`)
}
