;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Binding UNIX sockets to names in the file system: their mode and owner, and
;;; the names that processes which have gone leave behind.

(define-module (sockport io unix-name)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport primitive)
  #:use-module (sockport socket)
  #:export (bind-with-owner
            bound-file
            file-identity))

(define (bound-file address)
  "Return the file name that ADDRESS binds, or #f."
  (and (= AF_UNIX (sockaddr:fam address))
       (let ((path (sockaddr:path address)))
         (and (string? path)
              (not (string-prefix? "\0" path))
              (not (string-null? path))
              path))))

(define (file-identity path)
  "Return what identifies the socket at PATH, #f if there is none."
  (let ((status (stat path #f)))
    (and status (eq? 'socket (stat:type status))
         (list (stat:dev status) (stat:ino status)))))

(define (nobody-listens? address)
  (let ((sock (socket AF_UNIX SOCK_STREAM 0)))
    (set-nonblocking! sock #t)
    (let ((dead? (catch 'system-error
                   (lambda () (%connect sock address) #f)
                   (lambda args (eqv? ECONNREFUSED (system-error-errno args))))))
      (close-port sock)
      dead?)))

(define (remove-stale path address)
  "Delete the socket PATH if the process that bound it has gone; #f if not."
  (let ((found (file-identity path)))
    (and found
         (nobody-listens? address)
         (equal? found (file-identity path))
         (begin (delete-file path) #t))))

(define (bind-unix sock address path)
  (catch 'system-error
    (lambda () (bind sock address))
    (lambda args
      (unless (and path
                   (eqv? EADDRINUSE (system-error-errno args))
                   (remove-stale path address))
        (apply throw args))
      (bind sock address))))

(define (id value known)
  (cond ((not value) -1)
        ((integer? value) value)
        (else (known value))))

;;; Nobody can connect before `listen', so there is no moment at which the name
;;; is open to others.  The kernel takes the mode of the socket itself for the
;;; name, less the umask: unix(7).
(define (bind-with-owner sock address mode owner group thunk)
  "Bind SOCK to ADDRESS, whose name gets MODE, OWNER and GROUP, and call THUNK; the
name is gone again if that raises something."
  (let ((path (bound-file address))
        (uid (id owner (lambda (name) (passwd:uid (getpwnam name)))))
        (gid (id group (lambda (name) (group:gid (getgrnam name))))))
    (when (and path mode)
      (chmod sock mode))
    (bind-unix sock address path)
    (catch #t
      (lambda ()
        (when path
          (when (or owner group)
            (chown path uid gid))
          (when mode
            (chmod path mode)))
        (thunk))
      (lambda args
        (when path
          (delete-file path))
        (apply throw args)))))
