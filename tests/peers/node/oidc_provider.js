// An authorization server of another make, on PORT or a free one of loopback: oidc-provider with confidential clients,
// one of them a web application with WEB_ID, if that is given, whose users are all alice. Its access tokens have the
// FORMAT, and its caller authenticates by CALLER_JWKS where that is given. With SIGNED_ALG it signs introspection
// responses to the caller that asks for a JWT, with ENCRYPTED_ALG it encrypts them for CALLER_JWKS besides. With
// CERTIFICATES it binds the tokens of the machine to the certificate in the header Client-Cert, as a proxy would send it.
// With NEXT_RESOURCE the caller may exchange tokens for that API. Prints its issuer once it listens, and ends with its
// standard input.
import { X509Certificate } from 'node:crypto'
import { createServer } from 'node:http'
import Provider from 'oidc-provider'
import { addTokenExchange, EXCHANGE_GRANTS } from './token_exchange.js'

const { CLIENT_ID, CLIENT_SECRET, CALLER_ID, CALLER_SECRET, CALLER_JWKS, SCOPE, RESOURCE } = process.env
const { PORT = '0', FORMAT = 'opaque', WEB_ID, WEB_SECRET, REDIRECT } = process.env
const { SIGNED_ALG, ENCRYPTED_ALG, CERTIFICATES } = process.env
const server = createServer()
await new Promise((resolve) => server.listen(Number(PORT), '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`

function confidential(client_id, client_secret, grant_types) {
  const token_endpoint_auth_method = 'client_secret_basic'
  return { client_id, client_secret, grant_types, token_endpoint_auth_method, redirect_uris: [], response_types: [] }
}

const caller = confidential(CALLER_ID, CALLER_SECRET, EXCHANGE_GRANTS)
if (ENCRYPTED_ALG) {
  const introspection_encrypted_response_alg = ENCRYPTED_ALG
  Object.assign(caller, { introspection_encrypted_response_alg, jwks: JSON.parse(CALLER_JWKS) })
} else if (CALLER_JWKS) {
  Object.assign(caller, { token_endpoint_auth_method: 'private_key_jwt', jwks: JSON.parse(CALLER_JWKS) })
  delete caller.client_secret
}
if (SIGNED_ALG) caller.introspection_signed_response_alg = SIGNED_ALG

const machine = confidential(CLIENT_ID, CLIENT_SECRET, ['client_credentials'])
if (CERTIFICATES) machine.tls_client_certificate_bound_access_tokens = true
const clients = [machine, caller]
if (WEB_ID) {
  const web = confidential(WEB_ID, WEB_SECRET, ['authorization_code', 'refresh_token'])
  clients.push({ ...web, redirect_uris: [REDIRECT], response_types: ['code'] })
}

const provider = new Provider(issuer, {
  clients,
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  extraTokenClaims: (ctx, token) =>
    token.accountId && token.scope?.includes('orders:sell') ? { roles: ['seller'] } : undefined,
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({
      accountId: ctx.oidc.session.accountId,
      clientId: ctx.oidc.client.clientId,
    })
    grant.addOIDCScope('openid')
    grant.addResourceScope(RESOURCE, SCOPE)
    await grant.save()
    return grant
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === CALLER_ID },
    jwtIntrospection: { enabled: Boolean(SIGNED_ALG) },
    encryption: { enabled: Boolean(ENCRYPTED_ALG) },
    mTLS: {
      enabled: Boolean(CERTIFICATES),
      certificateBoundAccessTokens: true,
      getCertificate: (ctx) => {
        const value = ctx.get('client-cert').replaceAll(':', '')
        return value ? new X509Certificate(Buffer.from(value, 'base64')) : undefined
      },
    },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: SCOPE, audience: RESOURCE, accessTokenFormat: FORMAT }),
    },
  },
})
if (EXCHANGE_GRANTS.length) addTokenExchange(provider)
const callback = provider.callback()
server.on('request', (request, response) =>
  request.url.startsWith('/interaction/')
    ? provider.interactionFinished(request, response, { login: { accountId: 'alice' } })
    : callback(request, response),
)
process.stdin.on('end', () => process.exit(0)).resume()
console.log(issuer)
