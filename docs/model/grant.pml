/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The grant protocol, for spin. ../grant-protocol.md is the protocol, ../grant-model.md says which step here is which function
 * of src/ntb/irq, how to run this, and what was found.
 *
 * What is in it: one owner, its worker and its other threads; NI interrupts; two CPUs with a vector each, and another interrupt
 * of the host that takes any vector that is free; NH holders, each with a worker and a thread that triggers without end. Each holder
 * may be arbitrarily late with everything (any process may rest as long as it likes). Moves, revocations, frees with reuse, and
 * misfortunes of holders are counted, because generations and epochs are; triggers are not.
 *
 * What is abstract:
 * - A channel is a queue without loss. h2o holds a holder's words and its stores into the window in the order in which it made
 *   them (A1); what arrives goes to the CPU at once if it is a store, and waits for the worker if it is a word. Slots, retries and checks of
 *   words (C4 to C6) are left out; NONCE and ECHO (C1 to C3) are one word CTRL. The owner's HELLO is left out: it always
 *   comes before its first GRANT.
 * - What arrives twice before the CPU looks is one interrupt, as in an APIC.
 * - A batch of words is one word long, with a grace period of its own. One trigger of a holder at a time.
 * - The user of an interrupt takes its handler away when ontb_ntb_irq_settle() says 0; here that is part of release.
 * - Misfortunes are the last holder's: another one's look the same.
 * - No guard, no parent with fixed messages, no window that cannot be closed, no lying peer: those are for tests.
 *
 * Ghosts, which decide nothing: the life that a message is meant for (tok), the epoch in which it was read (ep).
 *
 * Faults to seed, each a macro: SKIP_ACK, REUSE_EARLY, TEAR, ACK_BEFORE_GRACE, CLOSE_LATE, NO_DRAIN, FREE_PENDING, ANY_GEN,
 * OPEN_EARLY, NO_AGAIN; and NO_CUT_OFF, which only the claim finds.
 */

/* How much of everything */

#ifndef NI
#define NI 1 /* interrupts, 1 or 2 */
#endif
#ifndef NH
#define NH 2 /* holders, 1 or 2 */
#endif
#ifndef MOVES
#define MOVES 2
#endif
#ifndef REVOKES
#define REVOKES 1
#endif
#ifndef FREES
#define FREES 1
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef RETURNS
#define RETURNS 1 /* whether a holder comes back after a misfortune */
#endif
#ifndef OTHERS
#define OTHERS 1 /* whether another interrupt of the host takes free vectors */
#endif
#ifndef STORES
#define STORES 2 /* triggers of a holder wait while so much is on its way */
#endif
#ifndef WORDS
#define WORDS 1 /* words that are on their way at a time in each direction, not counting CTRL */
#endif

#define NG	  (NI * NH)
#define G(i, h)	  ((i) * NH + (h))
#define CTRLS	  (DEATHS * RETURNS * 3)
#define QUEUE_H2O (STORES + WORDS + CTRLS)
#define QUEUE_O2H (WORDS + CTRLS)
#define QUEUE_IN  (WORDS + CTRLS)

/* Who has a vector: nobody, another interrupt of this host, or a life of an own interrupt. */
#define NOBODY	    0
#define OTHER	    1
#define FIRST_LIFE(i) (2 + (i))

#define STORE	   1
#define GRANT	   2
#define GRANT_ACK  3
#define REVOKE	   4
#define REVOKE_ACK 5
#define CTRL	   6
#define HELLO	   7

/* States of an own interrupt, of a grant, and of a drain. */
#define FREE	0
#define LIVE	1
#define FREEING 2

#define NONE	 0
#define GRANTING 1
#define GRANTED	 2
#define MOVING	 3
#define REVOKING 4

#define DRAINED	  0
#define QUEUED	  1
#define UNDER_WAY 2
#define AGAIN	  3

/* The owner's host: vectors. A message is an offset (which CPU) and data (which vector of it). */
byte vown[2];	  /* who has it */
bool leaving[2];  /* its interrupt has let it go, but something is pending */
byte pend[2];	  /* pending, and for whom it was meant */

/* Own interrupts */
byte state[NI], tok[NI], gen[NI], vec[NI], old_vec[NI], drain[NI], need[NI];
bool moving[NI];

/* Grants */
byte st[NG], ggen[NG];
bool told[NG], dirty[NG], has_old[NG];

/* Sessions at the owner */
byte on[NH], opeer[NH], wep[NH];
bool oconn[NH], window[NH], up[NH], cut[NH];
bool ev[NH];	 /* the link was down */
bool link_up[NH];

/* Sessions at the holders */
byte hnonce[NH], hpeer[NH];
bool hconn[NH], hsaid[NH], hev[NH], silent[NH], is_dead[NH];

/* What they hold; htok 0 is nothing. */
byte hoff[NG], hdata[NG], htok[NG], hgen[NG], due[NG];

/* A trigger inside its read-side section, and a grace period that waits for it. */
byte roff[NH], rdata[NH], rtok[NH], rep[NH];
bool in_grace[NH], owed[NH];

/* STORE offset data tok ep; GRANT_ACK and REVOKE_ACK index gen from to; CTRL 0 0 nonce echo; HELLO 0 0 from to */
chan h2o[NH] = [QUEUE_H2O] of { byte, byte, byte, byte, byte };
chan in[NH] = [QUEUE_IN] of { byte, byte, byte, byte, byte };
/* GRANT index gen vec tok from to */
chan o2h[NH] = [QUEUE_O2H] of { byte, byte, byte, byte, byte, byte, byte };

byte moves = MOVES, revokes = REVOKES, frees = FREES, deaths = DEATHS;

/* Only used inside one atomic step. */
hidden byte m0, m1, m2, m3, m4, m5, m6;

#if NI > 1
#define ANY_I(what)	(what(0) || what(1))
#define HAS_HANDLER(of) ((state[0] != FREE && tok[0] == (of)) || (state[1] != FREE && tok[1] == (of)))
#else
#define ANY_I(what)	(what(0))
#define HAS_HANDLER(of) (state[0] != FREE && tok[0] == (of))
#endif
#if NH > 1
#define ANY_H(what, i) (what(G(i, 0)) || what(G(i, 1)))
#else
#define ANY_H(what, i) (what(G(i, 0)))
#endif

#define IS_HELD(g)    (st[g] != NONE)
#define IS_OLD(g)     (has_old[g])
#define IS_PENDING(g) (st[g] == GRANTING || st[g] == MOVING || st[g] == REVOKING || dirty[g])
#define IS_BUSY(i)    (state[i] == FREEING || moving[i] || drain[i] != DRAINED || ANY_H(IS_PENDING, i))
#define quiet	      (!ANY_I(IS_BUSY))

/* Vectors */

inline let_go(w)
{
#ifdef FREE_PENDING
	vown[w] = NOBODY;
#else
	if
	:: pend[w] -> leaving[w] = true
	:: else -> vown[w] = NOBODY
	fi
#endif
}

/* A CPU takes what is pending. */
proctype Cpu(byte w)
{
end:	do
	:: d_step {
		pend[w] ->
		assert(vown[w] == pend[w]);	 /* misdirected */
		assert(HAS_HANDLER(pend[w]));	 /* lost: its handler is gone */
		pend[w] = 0;
		need[0] = need[0] & ~(1 << w);
#if NI > 1
		need[1] = need[1] & ~(1 << w);
#endif
		if
		:: leaving[w] -> leaving[w] = false; vown[w] = NOBODY
		:: else
		fi
	   }
	od
}

/* What holder h has sent arrives. */
proctype Wire(byte h)
{
end:	do
	:: d_step {
		nempty(h2o[h]) && (h2o[h]?[STORE, _, _, _, _] || nfull(in[h])) ->
		h2o[h]?m0, m1, m2, m3, m4;
		if
		:: m0 != STORE -> in[h]!m0, m1, m2, m3, m4
		:: m0 == STORE && !window[h] -> skip /* the session has ended, see Link and end_session */
		:: m0 == STORE && window[h] ->
			assert(m4 == wep[h]);		     /* of an earlier epoch */
			assert(m1 == m2);		     /* torn */
			assert(vown[m1] != NOBODY);	     /* lost: nobody there */
			assert(!pend[m1] || pend[m1] == m3); /* two interrupts became one */
			pend[m1] = m3
		fi
	   }
	od
}

/* Own interrupts: own.c */

inline say(i, h)
{
	gen[i]++;
	ggen[G(i, h)] = gen[i];
	dirty[G(i, h)] = true
}

inline want_drain(i)
{
	if
#ifndef NO_AGAIN
	:: drain[i] == UNDER_WAY -> drain[i] = AGAIN
#endif
	:: drain[i] == DRAINED -> drain[i] = QUEUED
	:: else
	fi
}

inline returned(i, h)
{
	if
	:: told[G(i, h)] -> want_drain(i)
	:: else
	fi;
	st[G(i, h)] = NONE;
	told[G(i, h)] = false;
	dirty[G(i, h)] = false;
	has_old[G(i, h)] = false
}

inline take_back(i, h)
{
	if
	:: st[G(i, h)] == NONE || st[G(i, h)] == REVOKING
	:: st[G(i, h)] != NONE && st[G(i, h)] != REVOKING && !told[G(i, h)] -> returned(i, h)
	:: st[G(i, h)] != NONE && st[G(i, h)] != REVOKING && told[G(i, h)] ->
		st[G(i, h)] = REVOKING;
		say(i, h)
	fi
}

inline take_back_all(i)
{
	take_back(i, 0);
#if NH > 1
	take_back(i, 1);
#endif
}

inline move_peer(i, h)
{
	if
	:: st[G(i, h)] == NONE
	:: else ->
		has_old[G(i, h)] = told[G(i, h)] || has_old[G(i, h)];
		if
		:: st[G(i, h)] == REVOKING
		:: else ->
			if
			:: st[G(i, h)] == GRANTED -> st[G(i, h)] = MOVING
			:: else
			fi;
			say(i, h)
		fi
	fi
}

/* Make before break: the new vector, then everybody is told, then the old one goes. */
inline set_message(i, w)
{
	vown[w] = tok[i];
	old_vec[i] = vec[i];
	vec[i] = w;
	move_peer(i, 0);
#if NH > 1
	move_peer(i, 1);
#endif
#ifndef SKIP_ACK
	moving[i] = ANY_H(IS_OLD, i);
#endif
	if
	:: moving[i]
	:: else -> let_go(old_vec[i]); old_vec[i] = 0
	fi
}

inline allocate(i, w)
{
	state[i] = LIVE;
	vec[i] = w;
	vown[w] = tok[i]
}

inline release(i)
{
	state[i] = FREE;
	let_go(vec[i]);
	vec[i] = 0;
	tok[i] = tok[i] + NI;
#ifdef REUSE_EARLY
	st[G(i, 0)] = NONE; told[G(i, 0)] = false; dirty[G(i, 0)] = false; has_old[G(i, 0)] = false;
#if NH > 1
	st[G(i, 1)] = NONE; told[G(i, 1)] = false; dirty[G(i, 1)] = false; has_old[G(i, 1)] = false;
#endif
#endif
	drain[i] = DRAINED;
	need[i] = 0
}

#ifdef REUSE_EARLY
#define CAN_RELEASE(i) (state[i] == FREEING && !moving[i] && drain[i] == DRAINED)
#else
#ifdef NO_DRAIN
#define CAN_RELEASE(i) (state[i] == FREEING && !moving[i] && !ANY_H(IS_HELD, i))
#else
#define CAN_RELEASE(i) (state[i] == FREEING && !moving[i] && !ANY_H(IS_HELD, i) && drain[i] == DRAINED)
#endif
#endif

/* The owner's threads: api.c, and the host's other interrupt */

#define APP_PEER(i, h)                                                                  \
	:: d_step { state[i] == LIVE && up[h] && st[G(i, h)] == NONE ->                 \
		st[G(i, h)] = GRANTING; say(i, h) }                                     \
	:: d_step { revokes && st[G(i, h)] != NONE && st[G(i, h)] != REVOKING ->        \
		revokes--; take_back(i, h) }
#define APP_OWN(i)                                                                      \
	:: d_step { frees && state[i] == LIVE -> frees--; state[i] = FREEING; take_back_all(i) }
#define APP_VECTOR(i, w)                                                                \
	:: d_step { state[i] == FREE && vown[w] == NOBODY -> allocate(i, w) }           \
	:: d_step { moves && state[i] == LIVE && !moving[i] && vown[w] == NOBODY ->     \
		moves--; set_message(i, w) }
#if OTHERS
#define APP_OTHER(w)                                                                    \
	:: d_step { vown[w] == NOBODY -> vown[w] = OTHER }                              \
	:: d_step { vown[w] == OTHER && !pend[w] -> vown[w] = NOBODY }
#else
#define APP_OTHER(w)
#endif

proctype App()
{
end:	do
	APP_PEER(0, 0)
	APP_OWN(0)
	APP_VECTOR(0, 0)
	APP_VECTOR(0, 1)
	APP_OTHER(0)
	APP_OTHER(1)
#if NH > 1
	APP_PEER(0, 1)
#endif
#if NI > 1
	APP_PEER(1, 0)
	APP_OWN(1)
	APP_VECTOR(1, 0)
	APP_VECTOR(1, 1)
#if NH > 1
	APP_PEER(1, 1)
#endif
#endif
	od
}

/* The owner's worker: session.c, work.c */

inline peer_gone(h)
{
	returned(0, h);
#if NI > 1
	returned(1, h);
#endif
}

/* Three steps, because everybody else goes on between them. */
inline end_session(h)
{
	d_step { up[h] = false };
#ifdef CLOSE_LATE
	d_step { peer_gone(h) };
	d_step { window[h] = false; wep[h] = 0 }
#else
	d_step { window[h] = false; wep[h] = 0 };
	d_step { peer_gone(h) }
#endif
}

inline open_window(h)
{
	window[h] = true;
	wep[h] = opeer[h];
	up[h] = true
}

#ifdef ANY_GEN
#define IS_CONFIRMED(g, of) (true)
#else
#define IS_CONFIRMED(g, of) (!dirty[g] && ggen[g] == (of))
#endif

/* m1 index, m2 generation */
inline confirmed(h)
{
	if
	:: m0 == GRANT_ACK && IS_CONFIRMED(G(m1, h), m2) && (st[G(m1, h)] == GRANTING || st[G(m1, h)] == MOVING) ->
		st[G(m1, h)] = GRANTED;
		dirty[G(m1, h)] = false;
		has_old[G(m1, h)] = false
	:: m0 == REVOKE_ACK && IS_CONFIRMED(G(m1, h), m2) && st[G(m1, h)] == REVOKING -> returned(m1, h)
	:: else
	fi
}

#ifdef OPEN_EARLY
#define OPENS_BY_CTRL(h) open_window(h)
#else
#define OPENS_BY_CTRL(h) skip
#endif

/* What is said of interrupt i to holder h. */
#define WORK_SAY(i, h)                                                                  \
	:: d_step { dirty[G(i, h)] && up[h] && len(o2h[h]) < WORDS ->                   \
		told[G(i, h)] = true;                                                   \
		dirty[G(i, h)] = false;                                                 \
		if                                                                      \
		:: st[G(i, h)] == REVOKING -> o2h[h]!REVOKE, i, ggen[G(i, h)], 0, 0, on[h], opeer[h] \
		:: else -> o2h[h]!GRANT, i, ggen[G(i, h)], vec[i], tok[i], on[h], opeer[h] \
		fi }

#ifdef NO_CUT_OFF
#define IS_LATE(h) (false)
#else
#if NI > 1
#define IS_LATE(h) (silent[h] && up[h] && (IS_PENDING(G(0, h)) || IS_PENDING(G(1, h))))
#else
#define IS_LATE(h) (silent[h] && up[h] && IS_PENDING(G(0, h)))
#endif
#endif

/* A word of holder h: m3 its epoch, m4 the owner's epoch that it knows. */
#define WORK_HEAR(h)                                                                    \
	:: d_step {                                                                     \
		nempty(in[h]) && !in[h]?[CTRL, _, _, _, _] ->                           \
		in[h]?m0, m1, m2, m3, m4;                                               \
		if                                                                      \
		:: !oconn[h] || m3 != opeer[h] || m4 != on[h] -> skip                   \
		:: else ->                                                              \
			if                                                              \
			:: m0 == HELLO -> open_window(h)                                \
			:: else -> confirmed(h)                                         \
			fi                                                              \
		fi }

/* Epochs; without misfortunes there is one, and it has begun. */
#define WORK_EPOCH(h)                                                                   \
	:: d_step {                                                                     \
			in[h]?[CTRL, _, _, _, _] ->                                     \
			in[h]?m0, m1, m2, m3, m4;                                       \
			if                                                              \
			:: cut[h] || !link_up[h] -> skip                                \
			:: !cut[h] && link_up[h] && m3 != opeer[h] ->                   \
				on[h] = on[h] + oconn[h];                               \
				opeer[h] = m3;                                          \
				oconn[h] = (m4 == on[h]);                               \
				o2h[h]!CTRL, 0, 0, 0, 0, on[h], opeer[h];               \
				if                                                      \
				:: oconn[h] -> OPENS_BY_CTRL(h)                         \
				:: else                                                 \
				fi                                                      \
			:: else ->                                                      \
				if                                                      \
				:: !oconn[h] && m4 == on[h] -> oconn[h] = true; OPENS_BY_CTRL(h) \
				:: else                                                 \
				fi                                                      \
			fi                                                              \
		};                                                                      \
		if                                                                      \
		:: up[h] && !oconn[h] -> end_session(h)                                 \
		:: else                                                                 \
		fi                                                                      \
	:: d_step { ev[h] -> ev[h] = false; oconn[h] = false };                         \
		end_session(h);                                                         \
		d_step {                                                                \
			if                                                              \
			:: link_up[h] ->                                                \
				cut[h] = false;                                         \
				on[h]++;                                                \
				o2h[h]!CTRL, 0, 0, 0, 0, on[h], opeer[h]                \
			:: else                                                         \
			fi                                                              \
		}                                                                       \
	:: d_step { IS_LATE(h) -> cut[h] = true; oconn[h] = false };                    \
		end_session(h)

#define WORK_OWN(i)                                                                     \
	:: d_step { moving[i] && !ANY_H(IS_OLD, i) ->                                   \
		moving[i] = false; let_go(old_vec[i]); old_vec[i] = 0 }                 \
	:: d_step { CAN_RELEASE(i) -> release(i) }

#define IS_QUEUED(i)	(drain[i] == QUEUED)
#define IS_UNDER_WAY(i) (drain[i] == UNDER_WAY || drain[i] == AGAIN)
#define IS_NEEDED(i)	(IS_UNDER_WAY(i) && need[i])

/* It has to be handled on each CPU where it is pending now. */
inline start_drain(i)
{
	if
	:: drain[i] == QUEUED ->
		drain[i] = UNDER_WAY;
		need[i] = (pend[0] == tok[i] -> 1 : 0) + (pend[1] == tok[i] -> 2 : 0)
	:: else
	fi
}

inline end_drain(i)
{
	if
	:: drain[i] == UNDER_WAY -> drain[i] = DRAINED
	:: drain[i] == AGAIN -> drain[i] = QUEUED
	:: else
	fi
}

proctype Worker()
{
end:	do
	WORK_HEAR(0)
	WORK_SAY(0, 0)
	WORK_OWN(0)
#if DEATHS && NH == 1
	WORK_EPOCH(0)
#endif
#if NI > 1
	WORK_SAY(1, 0)
	WORK_OWN(1)
#endif
#if NH > 1
	WORK_HEAR(1)
	WORK_SAY(0, 1)
#if DEATHS
	WORK_EPOCH(1)
#endif
#if NI > 1
	WORK_SAY(1, 1)
#endif
#endif
	:: d_step {
		ANY_I(IS_QUEUED) && !ANY_I(IS_UNDER_WAY) ->
		start_drain(0);
#if NI > 1
		start_drain(1)
#endif
	   }
	:: d_step {
		ANY_I(IS_UNDER_WAY) && !ANY_I(IS_NEEDED) ->
		end_drain(0);
#if NI > 1
		end_drain(1)
#endif
	   }
	od
}

/* Holders: held.c, session.c */

#ifdef ACK_BEFORE_GRACE
#define START_GRACE(h)
#else
#define START_GRACE(h) ; in_grace[h] = true; owed[h] = (rtok[h] != 0)
#endif

inline drop(g)
{
	hoff[g] = 0;
	hdata[g] = 0;
	htok[g] = 0;
	hgen[g] = 0;
	due[g] = 0
}

inline drop_held(h)
{
	drop(G(0, h));
#if NI > 1
	drop(G(1, h));
#endif
}

/* A session ends at the holder. What triggers do must have ended before it says hello again. */
inline end_held(h)
{
	drop_held(h);
	in_grace[h] = true;
	owed[h] = (rtok[h] != 0)
}

#define CAN_SAY(h) (len(h2o[h]) < STORES + WORDS)
#define CONFIRM(i, h)                                                                   \
	:: d_step { !silent[h] && !is_dead[h] && !in_grace[h] && due[G(i, h)] && CAN_SAY(h) -> \
		h2o[h]!due[G(i, h)], i, hgen[G(i, h)], hnonce[h], hpeer[h];             \
		due[G(i, h)] = 0 }

proctype Holder(byte h)
{
#ifdef TEAR
	byte torn_data, torn_tok, torn_index;
#endif

end:	do
	:: d_step {
		o2h[h]?[GRANT, _, _, _, _, _, _] && !silent[h] && !is_dead[h] && !in_grace[h] ->
		o2h[h]?m0, m1, m2, m3, m4, m5, m6;
		if
		:: hconn[h] && m5 == hpeer[h] && m6 == hnonce[h] && m2 > hgen[G(m1, h)] ->
			hgen[G(m1, h)] = m2;
			due[G(m1, h)] = GRANT_ACK;
			hoff[G(m1, h)] = m3;
#ifdef TEAR
			if
			:: htok[G(m1, h)] -> torn_data = m3; torn_tok = m4; torn_index = m1
			:: else -> hdata[G(m1, h)] = m3; htok[G(m1, h)] = m4
			fi
#else
			hdata[G(m1, h)] = m3;
			htok[G(m1, h)] = m4
#endif
			START_GRACE(h)
		:: else
		fi
	   }
#ifdef TEAR
	   ;
	   d_step {
		if
		:: torn_tok -> hdata[G(torn_index, h)] = torn_data; htok[G(torn_index, h)] = torn_tok
		:: else
		fi;
		torn_data = 0; torn_tok = 0; torn_index = 0
	   }
#endif
	:: d_step {
		o2h[h]?[REVOKE, _, _, _, _, _, _] && !silent[h] && !is_dead[h] && !in_grace[h] ->
		o2h[h]?m0, m1, m2, m3, m4, m5, m6;
		if
		:: hconn[h] && m5 == hpeer[h] && m6 == hnonce[h] && m2 > hgen[G(m1, h)] ->
			drop(G(m1, h));
			hgen[G(m1, h)] = m2;
			due[G(m1, h)] = REVOKE_ACK
			START_GRACE(h)
		:: else
		fi
	   }
	CONFIRM(0, h)
#if NI > 1
	CONFIRM(1, h)
#endif
	:: d_step { in_grace[h] && !owed[h] -> in_grace[h] = false }
#if DEATHS
	:: d_step {
		o2h[h]?[CTRL, _, _, _, _, _, _] && !silent[h] && !is_dead[h] && !in_grace[h] ->
		o2h[h]?m0, m1, m2, m3, m4, m5, m6;
		if
		:: m5 != hpeer[h] ->
			hpeer[h] = m5;
			hsaid[h] = false;
			if
			:: hconn[h] -> hnonce[h]++; end_held(h)
			:: else
			fi;
			hconn[h] = (m6 == hnonce[h]);
			h2o[h]!CTRL, 0, 0, hnonce[h], hpeer[h]
		:: m5 == hpeer[h] && m6 == hnonce[h] -> hconn[h] = true
		:: else
		fi
	   }
	:: d_step {
		hconn[h] && !hsaid[h] && !silent[h] && !is_dead[h] && !in_grace[h] && CAN_SAY(h) ->
		hsaid[h] = true;
		h2o[h]!HELLO, 0, 0, hnonce[h], hpeer[h]
	   }
	:: d_step {
		hev[h] && !silent[h] && !is_dead[h] && !in_grace[h] ->
		hev[h] = false;
		hnonce[h]++;
		hconn[h] = false;
		hsaid[h] = false;
		end_held(h);
		h2o[h]!CTRL, 0, 0, hnonce[h], hpeer[h]
	   }
#endif
	od
}

/* Between the two steps, anything can happen. */
#define READ(i, h)                                                                      \
	:: d_step { !is_dead[h] && !rtok[h] && htok[G(i, h)] ->                         \
		roff[h] = hoff[G(i, h)];                                                \
		rdata[h] = hdata[G(i, h)];                                              \
		rtok[h] = htok[G(i, h)];                                                \
		rep[h] = hnonce[h] }

proctype Trigger(byte h)
{
end:	do
	READ(0, h)
#if NI > 1
	READ(1, h)
#endif
	:: d_step {
		rtok[h] && len(h2o[h]) < STORES ->
		h2o[h]!STORE, roff[h], rdata[h], rtok[h], rep[h];
		roff[h] = 0; rdata[h] = 0; rtok[h] = 0; rep[h] = 0;
		owed[h] = false
	   }
	od
}

#if DEATHS

/* What was on its way is lost. */
inline flush(h)
{
	do
	:: nempty(h2o[h]) -> h2o[h]?_, _, _, _, _
	:: empty(h2o[h]) -> break
	od;
	do
	:: nempty(o2h[h]) -> o2h[h]?_, _, _, _, _, _, _
	:: empty(o2h[h]) -> break
	od
}

inline die(h)
{
	drop_held(h);
	roff[h] = 0; rdata[h] = 0; rtok[h] = 0; rep[h] = 0;
	in_grace[h] = false;
	owed[h] = false;
	hconn[h] = false;
	hsaid[h] = false;
	hpeer[h] = 0
}

/* With what was on its way, or without it. */
#define MISFORTUNE(what)                                                                \
	:: d_step { deaths && !is_dead[h] && !silent[h] -> deaths--; what }             \
	:: d_step { deaths && !is_dead[h] && !silent[h] -> deaths--; flush(h); what }

/* The link goes down and comes up; the owner sees that, the holder sees it, or both do. A holder dies and comes back, or not. */
proctype Link(byte h)
{
end:	do
#if RETURNS
	MISFORTUNE(ev[h] = true)
	MISFORTUNE(hev[h] = true)
	MISFORTUNE(ev[h] = true; hev[h] = true)
	MISFORTUNE(die(h); hev[h] = true)
	MISFORTUNE(die(h); hev[h] = true; ev[h] = true)
	/* Who was silent wakes up again. */
	:: d_step { silent[h] -> silent[h] = false }
#endif
	MISFORTUNE(die(h); is_dead[h] = true; link_up[h] = false; hev[h] = false; ev[h] = true)
	/* It says nothing, and goes on storing. */
	:: d_step { deaths && !is_dead[h] && !silent[h] -> deaths--; silent[h] = true }
	:: d_step { silent[h] -> skip }
	od
}
#endif

/* Where nobody can do anything, nothing must be left to do. */
proctype Check()
{
end:	timeout ->
	assert(quiet);
	assert(!pend[0] && !pend[1]);
	assert(empty(h2o[0]) && empty(in[0]));
#if NH > 1
	assert(empty(h2o[1]) && empty(in[1]))
#endif
}

inline start_peer(h)
{
	link_up[h] = true;
	on[h] = 1;
	hnonce[h] = 1;
	opeer[h] = 1;
	hpeer[h] = 1;
	wep[h] = 1;
	oconn[h] = true;
	hconn[h] = true;
	hsaid[h] = true;
	window[h] = true;
	up[h] = true;
	run Wire(h);
	run Holder(h);
	run Trigger(h)
}

init {
	atomic {
		tok[0] = FIRST_LIFE(0);
#if NI > 1
		tok[1] = FIRST_LIFE(1);
#endif
		run Cpu(0);
		run Cpu(1);
		run App();
		run Worker();
		start_peer(0);
#if NH > 1
		start_peer(1);
#endif
#if DEATHS
		run Link(NH - 1);
#endif
		run Check()
	}
}

#ifdef CLAIM
/* Bounded quarantine, and the same for moves and revocations: what waits for holders does not wait for ever. */
ltl settles { []<> quiet }
#endif
