// The grant token-exchange (RFC 8693) for oidc-provider, which leaves it to its users: an access token for this client
// becomes one for the audience that the client names. A token of an actor is required with REQUIRE_ACTOR.
import { errors } from 'oidc-provider'

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const PARAMETERS = [
  'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'audience', 'scope',
]
const { RESOURCE, NEXT_RESOURCE, NEXT_SCOPE, REQUIRE_ACTOR } = process.env

async function found(provider, value, type) {
  const token = type === ACCESS_TOKEN && value ? await provider.ClientCredentials.find(value) : undefined
  if (!token || token.isExpired) throw new errors.InvalidRequest('a token is not active')
  return token
}

export function addTokenExchange(provider) {
  provider.registerGrantType(GRANT_TYPE, async (ctx) => {
    const { params, client } = ctx.oidc
    const subject = await found(provider, params.subject_token, params.subject_token_type)
    if (subject.aud !== RESOURCE) throw new errors.InvalidRequest('the token is not for this client')
    if (REQUIRE_ACTOR) await found(provider, params.actor_token, params.actor_token_type)
    if (params.audience !== NEXT_RESOURCE) throw new errors.InvalidTarget('there is no such API')
    const token = new provider.ClientCredentials({ client, scope: params.scope })
    token.resourceServer = new provider.ResourceServer(NEXT_RESOURCE, { scope: NEXT_SCOPE })
    const value = await token.save()
    ctx.body = {
      access_token: value, issued_token_type: ACCESS_TOKEN, token_type: 'Bearer', expires_in: token.expiration,
    }
  }, PARAMETERS)
}

export const EXCHANGE_GRANTS = NEXT_RESOURCE ? ['client_credentials', GRANT_TYPE] : []
