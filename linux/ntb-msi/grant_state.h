/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may hold which message of one interrupt. Pure: no device, no lock, no memory of its own, so a test can drive it.
 *
 *      state     the peer may hold                     goes on with
 *      NONE      nothing                               offer -> OFFERED
 *      OFFERED   nothing, or what it was told          confirmation of the latest word -> HELD
 *      HELD      the present message and no other      another message -> MOVING
 *      MOVING    an earlier message, or the present    confirmation of the latest word -> HELD
 *      REVOKING  whatever it was told                  return -> NONE
 *
 * Revocation leads to REVOKING, or to NONE if the peer was never told; the loss of its window always to NONE. What is
 * to be said follows from the state, so there is no queue: a word is made when it is asked for.
 */
#ifndef NTB_GRANT_STATE_H
#define NTB_GRANT_STATE_H

#include <linux/types.h>

struct ntb_grant_word;

/**
 * enum ntb_grant_holding - see above
 * @NTB_GRANT_NONE:     Holds nothing.
 * @NTB_GRANT_OFFERED:  Has not confirmed its first word.
 * @NTB_GRANT_HELD:     Has confirmed the present message.
 * @NTB_GRANT_MOVING:   Has confirmed an earlier one.
 * @NTB_GRANT_REVOKING: Is to return it.
 */
enum ntb_grant_holding {
	NTB_GRANT_NONE,
	NTB_GRANT_OFFERED,
	NTB_GRANT_HELD,
	NTB_GRANT_MOVING,
	NTB_GRANT_REVOKING
};

/**
 * struct ntb_grant_peer - one peer
 * @holding:    Its state.
 * @generation: Of the last word to it.
 * @said:       That word is the one that the state asks for.
 * @told:       It has got a grant since NTB_GRANT_NONE.
 * @old:        It may hold a message that is not the present one.
 */
struct ntb_grant_peer {
	enum ntb_grant_holding holding;
	u32 generation;
	bool said;
	bool told;
	bool old;
};

/**
 * struct ntb_grant_state - one interrupt
 * @generations: The last generation that was used, by any interrupt of the device.
 * @offset:      Present message.
 * @data:        Present message.
 * @freeing:     It is to end.
 * @nr_peers:    Number of @peers, constant.
 * @peers:       The peers.
 */
struct ntb_grant_state {
	u32 *generations;
	u32 offset;
	u32 data;
	bool freeing;
	unsigned int nr_peers;
	struct ntb_grant_peer *peers;
};

bool ntb_grant_state_message(struct ntb_grant_state *state, u32 offset, u32 data);
int ntb_grant_state_offer(struct ntb_grant_state *state, unsigned int peer);
int ntb_grant_state_word(struct ntb_grant_state *state, unsigned int peer, struct ntb_grant_word *out);
int ntb_grant_state_confirmed(struct ntb_grant_state *state, unsigned int peer, u32 generation);
int ntb_grant_state_revoke(struct ntb_grant_state *state, unsigned int peer);
int ntb_grant_state_returned(struct ntb_grant_state *state, unsigned int peer, u32 generation);
void ntb_grant_state_gone(struct ntb_grant_state *state, unsigned int peer);
int ntb_grant_state_free(struct ntb_grant_state *state);
bool ntb_grant_state_has_word(const struct ntb_grant_state *state);
bool ntb_grant_state_is_settled(const struct ntb_grant_state *state);
bool ntb_grant_state_is_returned(const struct ntb_grant_state *state);

#endif
