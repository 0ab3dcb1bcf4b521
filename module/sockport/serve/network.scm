;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Networks that are trusted: is an address in one of them?

(define-module (sockport serve network)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport io argument)
  #:export (plain-address
            parse-networks
            in-networks?))

;;; A network is `unix', or a list of a family, the address, and how many of its
;;; bits do not matter.

(define mapped-prefix #xffff)

(define (plain-address address)
  "Return ADDRESS; one of IPv4 that is written as one of IPv6, as a listener for both
has it, as what it is."
  (if (and (= AF_INET6 (sockaddr:fam address))
           (= mapped-prefix (ash (sockaddr:addr address) -32)))
      (make-socket-address AF_INET (logand #xffffffff (sockaddr:addr address))
                           (sockaddr:port address))
      address))

(define (host text)
  "Return a pair of the family and the number of the address TEXT, or #f."
  (any (lambda (family)
         (catch 'misc-error
           (lambda () (cons family (inet-pton family text)))
           (const #f)))
       (list AF_INET AF_INET6)))

(define (bits family)
  (if (= family AF_INET) 32 128))

(define (parse-network who text)
  (define (refuse)
    (scm-error 'misc-error who
               "Not a network, like \"10.0.0.0/8\", \"::1\" or \"unix\": ~S"
               (list text) #f))
  (define (length digits most)
    (let ((number (and (string-every char-set:digit digits)
                       (string->number digits))))
      (if (and number (<= number most)) number (refuse))))
  (unless (string? text) (refuse))
  (if (string=? text "unix")
      'unix
      (match (string-split text #\/)
        ((name . more)
         (match (host name)
           (#f (refuse))
           ((family . number)
            (let* ((bits (bits family))
                   (ignored (match more
                              (() 0)
                              ((digits) (- bits (length digits bits)))
                              (_ (refuse)))))
              (unless (zero? (logand number (- (ash 1 ignored) 1)))
                (scm-error 'misc-error who
                           "~S has bits outside of the network; ~A/~A would have \
none"
                           (list text
                                 (inet-ntop family
                                            (ash (ash number (- ignored)) ignored))
                                 (- bits ignored))
                           #f))
              (list family number ignored))))))))

(define (parse-networks texts position who)
  "Return what TEXTS, like \"10.0.0.0/8\", \"::1\" and \"unix\", stand for."
  (check-that (list? texts) texts position "list of networks" who)
  (map (lambda (text) (parse-network who text)) texts))

(define (in-networks? address networks)
  "Is ADDRESS in one of NETWORKS, as `parse-networks' returns them?"
  (let* ((address (plain-address address)) (family (sockaddr:fam address)))
    (any (match-lambda
           ('unix (= family AF_UNIX))
           ((of number ignored)
            (and (= family of)
                 (= (ash number (- ignored))
                    (ash (sockaddr:addr address) (- ignored))))))
         networks)))
